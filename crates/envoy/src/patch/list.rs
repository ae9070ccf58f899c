//! One patch on a list of things that match or do not.

use model::envoy_filter::Operation;
use prost_reflect::{DynamicMessage, Value};

use super::Applied;
use super::merge::{Lists, merge};

/// Where in a list things are added that have no neighbour named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Last,
    /// In front of the last, which must stay so.
    BeforeLast,
}

/// Whether the list became another.
pub(super) fn edit(
    list: &mut Vec<Value>,
    applied: Applied<'_>,
    end: End,
    matches: impl Fn(&DynamicMessage) -> bool,
) -> bool {
    let fits = |item: &Value| item.as_message().is_some_and(&matches);
    if applied.patch.operation == Operation::Remove {
        let before = list.len();
        list.retain(|item| !fits(item));
        return list.len() < before;
    }
    let Some(value) = applied.value else {
        return false;
    };
    let at = match applied.patch.operation {
        operation @ (Operation::Merge | Operation::MergeReplacingLists) => {
            let lists = Lists::of(operation);
            return each(list, fits, |item| merge(item, value, lists));
        }
        Operation::Replace => return each(list, fits, |item| *item = value.clone()),
        Operation::InsertFirst => Some(0),
        Operation::InsertBefore => list.iter().position(fits),
        Operation::InsertAfter => list.iter().position(fits).map(|at| at + 1),
        _ => Some(match end {
            End::Last => list.len(),
            End::BeforeLast => list.len().saturating_sub(1),
        }),
    };
    if let Some(at) = at {
        list.insert(at, Value::Message(value.clone()));
    }
    at.is_some()
}

fn each(
    list: &mut [Value],
    fits: impl Fn(&Value) -> bool,
    change: impl Fn(&mut DynamicMessage),
) -> bool {
    let mut changed = false;
    for item in list.iter_mut().filter(|item| fits(item)) {
        if let Some(message) = item.as_message_mut() {
            change(message);
            changed = true;
        }
    }
    changed
}
