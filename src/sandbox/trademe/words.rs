//! Invented goods and people. Buyers' names end in `-Canary`: a test that finds that word in a log has found a
//! leak.

/// What things are like.
pub const MANNERS: [&str; 10] = [
    "Blue",
    "Rimu",
    "Vintage",
    "Pocket",
    "Heavy duty",
    "Kiwi",
    "Tūī",
    "Folding",
    "\"Number 8\"",
    "Left/right",
];

/// What is sold that no other shop sells.
pub const THINGS: [&str; 12] = [
    "widget",
    "oil heater 1/2 size",
    "fishing reel",
    "kete & lid",
    "tea towel",
    "garden fork",
    "jandals, pair",
    "tool box",
    "cricket bat",
    "beach chair <new>",
    "picture frame",
    "pōhutukawa print",
];

/// Categories: number, the whole path of numbers, name, path of names.
pub const CATEGORIES: [(&str, &str, &str, &str); 4] = [
    ("6853", "0004-0370-0560-6853-", "Oil heaters", "/Home-living/Heating-cooling/Oil-heaters"),
    ("6076", "0004-0369-6076-", "Bedroom furniture", "/Home-living/Bedroom-furniture"),
    ("3762", "0153-0438-3762-", "Trading cards", "/Gaming/Cards/Trading-cards"),
    ("1264", "0005-0387-1264-", "Fishing", "/Sports/Outdoors/Fishing"),
];

/// The category for cards.
pub const CARDS: usize = 2;

/// Given names of buyers.
pub const FIRST_NAMES: [&str; 10] =
    ["Sam", "Aroha", "Wiremu", "Moana", "Jo", "Tāne", "Priya", "Hine", "Casey", "O'Brien"];

/// Surnames of buyers.
pub const SURNAMES: [&str; 5] =
    ["Sample-Canary", "Tauira-Canary", "Example-Canary", "Placeholder-Canary", "Specimen-Canary"];

/// Streets of no town.
pub const STREETS: [&str; 5] =
    ["Canary Road", "Example Street", "Te Ara Tauira", "Specimen Crescent", "RD 99, Placeholder Road"];

/// Suburb, town and post code.
pub const TOWNS: [(&str, &str, &str); 5] = [
    ("Mt Example", "Auckland", "0001"),
    ("Canaryville", "Wellington", "0002"),
    ("Te Tauira", "Whangārei", "0003"),
    ("Placeholder Flat", "Dunedin", "0004"),
    ("Specimen Bay", "Nelson", "0005"),
];

/// What people ask.
pub const QUESTIONS: [&str; 4] = [
    "Hi, is this still available? Cheers",
    "Would you do pick-up/drop-off in town?",
    "What's the \"condition\" like\r\nand how old is it?",
    "Kia ora, do you combine shipping?",
];
