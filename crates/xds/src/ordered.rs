//! Joining two name-ordered sequences in one pass.
//!
//! What a proxy holds and what it should hold are both ordered by name; walking them side by side
//! finds every difference without a lookup per name.

use std::cmp::Ordering;
use std::iter::Peekable;

/// What stands under one name: on the left, on the right, or on both sides.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pair<L, R> {
    Left(L),
    Right(R),
    Both(L, R),
}

/// Joins two sequences, each strictly ascending by its name.
pub(crate) fn join<K, L, R>(
    left: impl Iterator<Item = (K, L)>,
    right: impl Iterator<Item = (K, R)>,
) -> impl Iterator<Item = (K, Pair<L, R>)>
where
    K: AsRef<str>,
{
    Join {
        left: left.peekable(),
        right: right.peekable(),
    }
}

struct Join<A: Iterator, B: Iterator> {
    left: Peekable<A>,
    right: Peekable<B>,
}

impl<K, L, R, A, B> Iterator for Join<A, B>
where
    K: AsRef<str>,
    A: Iterator<Item = (K, L)>,
    B: Iterator<Item = (K, R)>,
{
    type Item = (K, Pair<L, R>);

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.left.peek(), self.right.peek()) {
            (Some((left, _)), Some((right, _))) => compare(left.as_ref(), right.as_ref()),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        match order {
            Ordering::Less => self.left.next().map(|(key, left)| (key, Pair::Left(left))),
            Ordering::Greater => self
                .right
                .next()
                .map(|(key, right)| (key, Pair::Right(right))),
            Ordering::Equal => {
                let (key, left) = self.left.next()?;
                let (_, right) = self.right.next()?;
                Some((key, Pair::Both(left, right)))
            }
        }
    }
}

/// Most names are shared, so that nearly all that are equal are the same bytes.
fn compare(left: &str, right: &str) -> Ordering {
    match std::ptr::eq(left, right) {
        true => Ordering::Equal,
        false => left.cmp(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_once_and_in_order() {
        let left = [("a", 1), ("c", 3), ("d", 4)];
        let right = [("b", 20), ("c", 30)];
        let joined: Vec<_> = join(left.into_iter(), right.into_iter()).collect();
        assert_eq!(
            joined,
            [
                ("a", Pair::Left(1)),
                ("b", Pair::Right(20)),
                ("c", Pair::Both(3, 30)),
                ("d", Pair::Left(4)),
            ]
        );
    }
}
