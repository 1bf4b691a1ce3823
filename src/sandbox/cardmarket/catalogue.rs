//! The products that articles are copies of. A few thousand, built once, so that an article needs only a
//! number to say what it is.

use std::sync::Arc;

use super::words;

/// The wizards' game, the only one with foils here.
pub const MAGIC: u8 = 1;
/// The pocket creatures' game: reverse holo instead of foil.
pub const POKEMON: u8 = 6;

/// What is the same for all copies of a card.
#[derive(Debug, Clone)]
pub struct Product {
    /// `idProduct`.
    pub id: u32,
    /// `idGame`.
    pub game: u8,
    /// The name in every language: the pretend shop does not translate.
    pub name: Arc<str>,
    /// Absent for sealed products.
    pub print: Option<Print>,
}

/// Where a single card was printed.
#[derive(Debug, Clone, Copy)]
pub struct Print {
    /// `idExpansion`, also its icon.
    pub expansion_id: u32,
    /// The expansion's name.
    pub expansion: &'static str,
    /// The expansion's short name.
    pub abbreviation: &'static str,
    /// Collector number.
    pub number: u32,
    /// May end in a blank.
    pub rarity: &'static str,
}

/// All products, found by their place.
#[derive(Debug)]
pub struct Catalogue {
    products: Vec<Product>,
    creatures_from: usize,
    sealed_from: usize,
}

impl Catalogue {
    /// Every name in every expansion of its game, then the sealed products.
    pub fn new() -> Self {
        let composed = words::MANNERS
            .iter()
            .flat_map(|manner| words::THINGS.iter().map(move |thing| format!("{manner} {thing}")));
        let cards: Vec<Arc<str>> =
            words::LEGENDS.iter().map(|name| (*name).to_owned()).chain(composed).map(Arc::from).collect();
        let creatures: Vec<Arc<str>> = words::CREATURES.iter().copied().map(Arc::from).collect();
        let mut products = Vec::new();
        print_all(&mut products, MAGIC, 100_000, &cards, &words::EXPANSIONS, &words::RARITIES);
        let creatures_from = products.len();
        print_all(
            &mut products,
            POKEMON,
            400_000,
            &creatures,
            &words::CREATURE_EXPANSIONS,
            &words::CREATURE_RARITIES,
        );
        let sealed_from = products.len();
        products.extend(words::SEALED.iter().zip(500_000..).map(|(name, id)| Product {
            id,
            game: MAGIC,
            name: Arc::from(*name),
            print: None,
        }));
        Self { products, creatures_from, sealed_from }
    }

    /// The product at a place that this catalogue gave out.
    pub fn at(&self, place: u32) -> &Product {
        &self.products[place as usize]
    }

    /// The place of the product of that number.
    pub fn place_of(&self, id: u32) -> Option<u32> {
        self.products.binary_search_by_key(&id, |product| product.id).ok().map(|at| at as u32)
    }

    /// The numbers of all products, rising.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        self.products.iter().map(|product| product.id)
    }

    /// A place drawn by the mix of an ordinary shop: mostly Magic, some Pokemon, a little sealed product.
    pub fn draw(&self, rng: &mut fastrand::Rng) -> u32 {
        let range = match rng.u8(0..100) {
            0..82 => 0..self.creatures_from,
            82..95 => self.creatures_from..self.sealed_from,
            _ => self.sealed_from..self.products.len(),
        };
        rng.usize(range) as u32
    }
}

fn print_all(
    products: &mut Vec<Product>,
    game: u8,
    first_id: u32,
    names: &[Arc<str>],
    expansions: &[(&'static str, &'static str)],
    rarities: &[&'static str],
) {
    let mut id = first_id;
    for (at, &(expansion, abbreviation)) in expansions.iter().enumerate() {
        for (number, name) in names.iter().enumerate() {
            let rarity = rarities[(number * 7 + at) % rarities.len()];
            let expansion_id = 1_600 + u32::from(game) * 100 + at as u32;
            let print = Print { expansion_id, expansion, abbreviation, number: number as u32 + 1, rarity };
            products.push(Product { id, game, name: Arc::clone(name), print: Some(print) });
            id += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_product_has_its_own_number_and_draws_stay_inside() {
        let catalogue = Catalogue::new();
        let ids: HashSet<u32> = catalogue.products.iter().map(|product| product.id).collect();
        assert_eq!(ids.len(), catalogue.products.len());
        assert!(catalogue.ids().is_sorted(), "they are found by halving");
        let mut rng = fastrand::Rng::with_seed(1);
        let games: HashSet<(u8, bool)> = (0..500)
            .map(|_| catalogue.at(catalogue.draw(&mut rng)))
            .map(|product| (product.game, product.print.is_some()))
            .collect();
        assert_eq!(games, HashSet::from([(MAGIC, true), (POKEMON, true), (MAGIC, false)]));
    }
}
