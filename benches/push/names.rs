//! The names that a thread's proxies ask for, each known once and by number.
//!
//! A thousand proxies ask for the same thousand names. Each proxy keeps a bit for each; the list
//! itself, and its encoding, is shared.

use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;

use crate::request;

/// Names by number, and lists of them by content.
#[derive(Default)]
pub(crate) struct Names {
    numbers: HashMap<Rc<[u8]>, u32>,
    texts: Vec<Rc<[u8]>>,
    lists: HashMap<Vec<u32>, Rc<List>>,
}

/// A list of names that proxies subscribe to together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) numbers: Vec<u32>,
    /// As requests carry it.
    pub(crate) encoded: Bytes,
}

/// A set of numbers.
#[derive(Debug, Default, Clone)]
pub(crate) struct Bits(Vec<u64>);

// === impl Names ===

impl Names {
    pub(crate) fn number(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let (text, number): (Rc<[u8]>, _) = (name.into(), self.texts.len() as u32);
        self.texts.push(text.clone());
        self.numbers.insert(text, number);
        number
    }

    pub(crate) fn text(&self, number: u32) -> &[u8] {
        &self.texts[number as usize]
    }

    /// The shared list with these numbers, in this order.
    pub(crate) fn list(&mut self, numbers: Vec<u32>) -> Rc<List> {
        if let Some(list) = self.lists.get(&numbers) {
            return list.clone();
        }
        let encoded = request::names(numbers.iter().map(|number| self.text(*number)));
        let list = Rc::new(List {
            numbers: numbers.clone(),
            encoded,
        });
        self.lists.insert(numbers, list.clone());
        list
    }
}

// === impl Bits ===

impl Bits {
    /// Adds a number; false if it was there.
    pub(crate) fn insert(&mut self, number: u32) -> bool {
        let (word, bit) = (number as usize / 64, 1 << (number % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    pub(crate) fn contains(&self, number: u32) -> bool {
        self.0
            .get(number as usize / 64)
            .is_some_and(|word| word & 1 << (number % 64) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_have_equal_numbers_and_equal_lists_are_one() {
        let mut names = Names::default();
        let (a, b) = (names.number(b"a"), names.number(b"b"));
        assert_ne!(a, b);
        assert_eq!((names.number(b"a"), names.text(b)), (a, &b"b"[..]));
        let list = names.list(vec![b, a]);
        assert!(Rc::ptr_eq(&list, &names.list(vec![b, a])));
        assert_eq!(&list.encoded[..], b"\x1a\x01b\x1a\x01a");
        assert_ne!(list, names.list(vec![a, b]));
    }

    #[test]
    fn bits_are_a_set() {
        let mut bits = Bits::default();
        assert!(bits.insert(0) && bits.insert(63) && bits.insert(64) && bits.insert(1000));
        assert!(!bits.insert(64));
        assert!(bits.contains(1000) && !bits.contains(65) && !bits.contains(5000));
    }
}
