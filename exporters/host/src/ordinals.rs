//! Whole numbers as label values, written once.

/// The texts of 0, 1, 2 and so on, as far as they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Ordinals(Vec<String>);

impl Ordinals {
    /// `number` in decimal.
    pub(crate) fn get(&mut self, number: usize) -> &str {
        while self.0.len() <= number {
            self.0.push(self.0.len().to_string());
        }
        &self.0[number]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_any_order() {
        let mut ordinals = Ordinals::default();
        assert_eq!(["3", "0", "11"], [3, 0, 11].map(|n| ordinals.get(n).to_owned()).each_ref().map(|s| &**s));
    }
}
