//! The number of files that the process may open: every stream is a socket.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the process needs beside its streams: sources, pages, logs.
const OTHERS: u64 = 256;

/// How many files may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// In force now; `None` for no limit.
    pub limit: Option<u64>,
    /// What so many streams, each on its own connection, need.
    pub needed: u64,
}

impl OpenFiles {
    /// Raises the limit of this process as far as it may by itself, and says whether that is enough
    /// for `max_streams`.
    pub fn raise(max_streams: usize) -> OpenFiles {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: maximum,
            maximum,
        };
        let limit = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => maximum,
            // No limit on paper can still be more than the kernel gives.
            Err(_) => current,
        };
        OpenFiles {
            limit,
            needed: max_streams as u64 + OTHERS,
        }
    }

    /// Whether all streams may be open at the same time.
    pub fn is_enough(self) -> bool {
        self.limit.is_none_or(|limit| limit >= self.needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_what_is_allowed_and_judged() {
        let raised = OpenFiles::raise(1);
        let now = getrlimit(Resource::Nofile);
        assert_eq!(raised.limit, now.current);
        assert_eq!(now.current, now.maximum);
        assert_eq!(raised.needed, 1 + OTHERS);
        let judged = |limit| OpenFiles { limit, needed: 100 }.is_enough();
        assert_eq!([Some(99), Some(100), None].map(judged), [false, true, true]);
    }
}
