//! Invented names, so that the shop looks like one and nothing in it belongs to anybody.
//!
//! Buyers' surnames end in `-Canary`: a test that finds that word in a log has found a leak.

/// First halves of card names.
pub const MANNERS: [&str; 12] = [
    "Ashen",
    "Gloomtide",
    "Verdant",
    "Stormcalled",
    "Hollow",
    "Gilded",
    "Rimebound",
    "Emberfed",
    "Sunken",
    "Wandering",
    "Oathsworn",
    "Nightglass",
];

/// Second halves of card names.
pub const THINGS: [&str; 12] = [
    "Warden",
    "Colossus",
    "Alchemist",
    "Serpent",
    "Reliquary",
    "Pilgrim",
    "Thicket",
    "Harbinger",
    "Lancer",
    "Archive",
    "Familiar",
    "Causeway",
];

/// Card names with what breaks careless clients: commas, apostrophes, accents, quotes, slashes, blanks at
/// the end.
pub const LEGENDS: [&str; 14] = [
    "Velra, the Tide Scholar",
    "Oskar's Last Bargain",
    "Maëlle, Voice of the Fen",
    "Thornback Rider // Thornback Raid",
    "\"Honest\" Brannoc",
    "Jötunn's Regret",
    "Ssra & Sons, Lamplighters",
    "Wyrd <Unwritten>",
    "Quill of Ninety-Nine Lies",
    "Ysolde; Heir to None",
    "Kämpfer aus Grünfels",
    "Dunmarrow Ferryman ",
    "Æthel the Unburnt",
    "Last Light, First Dark",
];

/// Names of pocket creatures. Some end in a blank, as the marketplace sends them.
pub const CREATURES: [&str; 16] = [
    "Flammhorn ",
    "Pudelwicht",
    "Nebulotte",
    "Karpfish V",
    "Drachling ex",
    "Mossini",
    "Glimmaus ",
    "Torfel",
    "Zitterix GX",
    "Lunafee",
    "Brontolo",
    "Kieselchen",
    "Wattopus",
    "Sporling ",
    "Eisbert",
    "Quakk",
];

/// Sealed products and accessories: no condition, no rarity, no expansion.
pub const SEALED: [&str; 8] = [
    "Emberfall Draft Booster Box",
    "Emberfall Draft Booster",
    "Tidewrack Collector Booster",
    "Tidewrack Bundle",
    "Starter Deck: Oath and Ash",
    "80 Matte Sleeves (black)",
    "Playmat \"Nightglass\"",
    "Deck Box 100+",
];

/// Expansions of the wizards' game, with abbreviations.
pub const EXPANSIONS: [(&str, &str); 22] = [
    ("Emberfall", "EMF"),
    ("Tidewrack", "TDW"),
    ("Realm of Glass", "ROG"),
    ("Oath and Ash", "OAA"),
    ("The Long Thaw", "TLT"),
    ("Grünfels Reborn", "GFR"),
    ("Shards of Noon", "SON"),
    ("Hinterland", "HTL"),
    ("Nine Lanterns", "NLA"),
    ("Masters of Dunmarrow", "MDM"),
    ("Core Set 2019½", "C19"),
    ("Sable Court", "SBC"),
    ("Saltbreaker", "SBR"),
    ("Verge of Winter", "VOW"),
    ("Hollow Crown", "HOC"),
    ("Brass & Bone", "BAB"),
    ("Promos", "PRM"),
    ("Origins of Velra", "OOV"),
    ("Undertow", "UTW"),
    ("Lost Causeways", "LCW"),
    ("Festival of Embers", "FOE"),
    ("Starfall", "STF"),
];

/// Expansions of the pocket creatures' game.
pub const CREATURE_EXPANSIONS: [(&str, &str); 6] = [
    ("Nebelküste", "NBK"),
    ("Burning Peaks", "BPK"),
    ("Shining Shallows", "SSH"),
    ("Hidden Burrows", "HBR"),
    ("Thunder Valley", "TVY"),
    ("Black & Gold Promos", "BGP"),
];

/// Rarities of the wizards' game.
pub const RARITIES: [&str; 5] = ["Common", "Uncommon", "Rare", "Mythic", "Special"];

/// Rarities of the pocket creatures' game, one with a blank at its end.
pub const CREATURE_RARITIES: [&str; 4] = ["Common", "Uncommon", "Holo Rare ", "Double Rare"];

/// Remarks that sellers write, with the characters that break careless exports.
pub const PHRASES: [&str; 10] = [
    "small crease; see scan",
    "signed by the artist & shipped in a toploader",
    "<3 my favourite",
    "grade > 8, \"pack fresh\"",
    "🔥 hot card 🔥",
    "leicht gewellt; kein Knick",
    "Vintage – überprüft ✓",
    "combine & save: 3 for 2",
    "it's a beauty",
    "back\\front scans on request",
];

/// Given names of buyers.
pub const FIRST_NAMES: [&str; 12] = [
    "Jo", "Mirabel", "Tobias", "Zoë", "Anaïs", "Björn", "Pilar", "Kasimir", "Lotte", "Ruben", "Ilse", "Dario",
];

/// Surnames of buyers: nobody is called that, so a leak can be found by the word.
pub const SURNAMES: [&str; 8] = [
    "Muster-Canary",
    "Specimen-Canary",
    "Placeholder-Canary",
    "Exemple-Canary",
    "Prüfling-Canary",
    "Dechantillon-Canary",
    "Muestra-Canary",
    "Testperson-Canary",
];

/// Streets of no town.
pub const STREETS: [&str; 6] =
    ["Canarygasse", "Musterweg", "Rue de l'Exemple", "Specimen Lane", "Calle Inventada", "Prüfstraße"];

/// Post code, town, country in the marketplace's spelling (Germany is `D`).
pub const TOWNS: [(&str, &str, &str); 8] = [
    ("00001", "Canarystadt", "D"),
    ("00002", "Musterhausen", "D"),
    ("99999", "Exempleville", "FR"),
    ("0001", "Specimendorf", "AT"),
    ("00099", "Villa Inventada", "ES"),
    ("XX1 1XX", "Placeholder-on-Sea", "GB"),
    ("00009", "Campione di Prova", "IT"),
    ("0000 XX", "Voorbeeldstad", "NL"),
];
