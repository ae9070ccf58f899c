//! Task and instance ids, in every form that Marathon has used.
//!
//! | form | since |
//! |---|---|
//! | `<path_>.<uuid>` | apps up to 1.7 |
//! | `<path_>.instance-<uuid>.<container>` | pods up to 1.7 |
//! | `<path_>.instance-<uuid>._app.<n>` | apps, 1.8 |
//! | `<path_>.instance-<uuid>.<container>.<n>` | pods, 1.8 |
//!
//! `<path_>` is the workload's path with `/` as `_`; ids have no underscores of their own. Up to
//! 1.7, `marathon-` may stand for `instance-`.

/// A task id, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskId<'a> {
    /// The workload's path, absolute.
    pub workload: String,
    /// What Marathon calls the instance id: `reviews.instance-<uuid>`; for the oldest form the whole id.
    pub instance: &'a str,
    /// `_app` for apps; absent where the id names an instance only.
    pub container: Option<&'a str>,
    /// How often the instance was started, since 1.8.
    pub incarnation: Option<u64>,
}

const UUID: usize = 36;

// === impl TaskId ===

impl<'a> TaskId<'a> {
    /// Takes a task or instance id apart; `None` if it has none of the known forms.
    pub fn parse(text: &'a str) -> Option<TaskId<'a>> {
        Self::modern(text).or_else(|| Self::legacy(text))
    }

    fn modern(text: &'a str) -> Option<TaskId<'a>> {
        let (path_end, uuid) = [".instance-", ".marathon-"]
            .iter()
            .filter_map(|mark| text.rfind(mark).map(|at| (at, at + mark.len())))
            .max()?;
        let end = uuid + UUID;
        is_uuid(text.get(uuid..end)?).then_some(())?;
        let rest = text.get(end..)?;
        let (container, incarnation) = match rest.strip_prefix('.') {
            None if rest.is_empty() => (None, None),
            None => return None,
            Some(rest) => split_incarnation(rest),
        };
        Some(TaskId {
            workload: path(&text[..path_end]),
            instance: &text[..end],
            container,
            incarnation,
        })
    }

    fn legacy(text: &'a str) -> Option<TaskId<'a>> {
        let at = text.len().checked_sub(UUID + 1)?;
        let uuid = text.get(at..)?.strip_prefix('.')?;
        is_uuid(uuid).then(|| TaskId {
            workload: path(&text[..at]),
            instance: text,
            container: None,
            incarnation: None,
        })
    }
}

/// The instance that a proxy claims to be: a task id, an instance id, or a task id that was cut
/// at its last dot, as the agents of old images send it.
pub fn instance_of(claim: &str) -> Option<&str> {
    TaskId::parse(claim).map(|id| id.instance)
}

fn split_incarnation(rest: &str) -> (Option<&str>, Option<u64>) {
    match rest.rsplit_once('.') {
        Some((container, n)) => match n.parse() {
            Ok(n) => (Some(container), Some(n)),
            Err(_) => (Some(rest), None),
        },
        None => (Some(rest), None),
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == UUID
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

fn path(underscored: &str) -> String {
    format!("/{}", underscored.replace('_', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: &str = "488b3441-7bb5-11e9-b931-9bc41a1c18ce";

    fn parsed(text: &str) -> (String, String, Option<String>, Option<u64>) {
        let id = TaskId::parse(text).unwrap_or_else(|| panic!("{text}"));
        (
            id.workload,
            id.instance.to_owned(),
            id.container.map(str::to_owned),
            id.incarnation,
        )
    }

    #[test]
    fn every_form_is_understood() {
        let some = |s: &str| Some(s.to_owned());
        for (text, workload, instance, container, incarnation) in [
            (
                format!("reviews.{U}"),
                "/reviews",
                format!("reviews.{U}"),
                None,
                None,
            ),
            (
                format!("shop_reviews.instance-{U}.proxy"),
                "/shop/reviews",
                format!("shop_reviews.instance-{U}"),
                some("proxy"),
                None,
            ),
            (
                format!("a_b.instance-{U}._app.3"),
                "/a/b",
                format!("a_b.instance-{U}"),
                some("_app"),
                Some(3),
            ),
            (
                format!("r.instance-{U}.proxy.1"),
                "/r",
                format!("r.instance-{U}"),
                some("proxy"),
                Some(1),
            ),
            (
                format!("r.marathon-{U}"),
                "/r",
                format!("r.marathon-{U}"),
                None,
                None,
            ),
            (
                format!("v1.r.instance-{U}.p"),
                "/v1.r",
                format!("v1.r.instance-{U}"),
                some("p"),
                None,
            ),
        ] {
            assert_eq!(
                parsed(&text),
                (workload.to_owned(), instance, container, incarnation),
                "{text}"
            );
        }
    }

    #[test]
    fn other_text_is_not_a_task_id() {
        for text in [
            "",
            "reviews",
            "reviews.instance-123",
            &format!("x.instance-{U}junk"),
            U,
        ] {
            assert_eq!(TaskId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_instance_is_found_in_an_id_cut_at_its_last_dot() {
        let cut = format!("reviews.instance-{U}.proxy");
        assert_eq!(
            instance_of(&cut),
            Some(format!("reviews.instance-{U}").as_str())
        );
    }
}
