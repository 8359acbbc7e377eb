//! The wait graph: which thread waits for which, and whether waiting would close a cycle.

use super::key::ThreadId;
use std::collections::HashSet;

/// One edge of the wait graph: the first thread cannot go on before the second has given something up.
pub(super) type Edge = (ThreadId, ThreadId);

/// Looks for a way from `owner` back to `me` along `edges`. If `me` now waited for `owner`, that way would be a cycle.
///
/// Returns the threads of the cycle, `me` first, each waiting for the next one. A thread may stand at the head of
/// several edges (a finaliser that imports while an outer import of the same thread waits), so this is a search, not
/// a walk along a chain.
pub(super) fn cycle(me: ThreadId, owner: ThreadId, edges: &[Edge]) -> Option<Vec<ThreadId>> {
    // The seen set is what ends the search in a cycle that does not contain me (cpython issue 82272): such a cycle
    // exists for the moments between two threads closing one and the first of them leaving it.
    let mut seen = HashSet::from([owner]);
    let mut way = vec![me, owner];
    let mut branches = vec![0];
    while let Some(next_edge) = branches.last_mut() {
        let here = way[way.len() - 1];
        if here == me {
            way.pop();
            return Some(way);
        }
        let onward = edges[*next_edge..].iter().position(|&(waiter, _)| waiter == here);
        match onward {
            Some(offset) => {
                let (_, target) = edges[*next_edge + offset];
                *next_edge += offset + 1;
                if target == me || seen.insert(target) {
                    way.push(target);
                    branches.push(0);
                }
            }
            None => {
                way.pop();
                branches.pop();
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::cycle;

    #[test]
    fn a_chain_that_ends_is_no_cycle() {
        assert_eq!(cycle(1, 2, &[(2, 3), (3, 4)]), None);
    }

    #[test]
    fn the_way_back_is_reported_from_me_on() {
        assert_eq!(cycle(1, 2, &[(3, 1), (2, 3)]), Some(vec![1, 2, 3]));
    }

    #[test]
    fn a_cycle_without_me_ends_the_search() {
        assert_eq!(cycle(1, 2, &[(2, 3), (3, 2)]), None);
    }

    #[test]
    fn the_second_of_two_branches_is_followed() {
        assert_eq!(cycle(1, 2, &[(2, 3), (2, 4), (4, 1)]), Some(vec![1, 2, 4]));
    }

    #[test]
    fn waiting_for_oneself_is_a_cycle_of_one() {
        assert_eq!(cycle(1, 1, &[]), Some(vec![1]));
    }
}
