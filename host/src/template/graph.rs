//! The one order in which steps can run.

use std::collections::BTreeSet;

/// Orders nodes so that each comes after its parents; among those that could come next, the one written first.
///
/// `parents[i]` lists the parents of node `i`. A graph with a cycle has no order: the error is one cycle, each node
/// followed by the parent it waits for, the last one waiting for the first.
pub(super) fn topological_order(parents: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut waiting: Vec<usize> = parents.iter().map(Vec::len).collect();
    let mut children = vec![Vec::new(); parents.len()];
    for (node, parents) in parents.iter().enumerate() {
        for parent in parents {
            children[*parent].push(node);
        }
    }
    let mut ready: BTreeSet<usize> = (0..parents.len()).filter(|node| waiting[*node] == 0).collect();
    let mut order = Vec::with_capacity(parents.len());
    while let Some(node) = ready.pop_first() {
        order.push(node);
        for child in &children[node] {
            waiting[*child] -= 1;
            if waiting[*child] == 0 {
                ready.insert(*child);
            }
        }
    }
    match (0..parents.len()).find(|node| waiting[*node] > 0) {
        None => Ok(order),
        Some(stuck) => Err(cycle_from(stuck, parents, &waiting)),
    }
}

/// A node that waits has a parent that waits, so following those must come back to where it has been.
fn cycle_from(start: usize, parents: &[Vec<usize>], waiting: &[usize]) -> Vec<usize> {
    let mut walked = vec![start];
    loop {
        let here = walked[walked.len() - 1];
        let Some(next) = parents[here].iter().copied().find(|parent| waiting[*parent] > 0) else {
            return walked;
        };
        if let Some(seen) = walked.iter().position(|node| *node == next) {
            return walked.split_off(seen);
        }
        walked.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_written_order_where_dependencies_leave_a_choice() {
        assert_eq!(topological_order(&[vec![3], vec![], vec![], vec![1]]), Ok(vec![1, 2, 3, 0]));
    }

    #[test]
    fn answers_with_the_cycle_and_not_with_what_hangs_on_it() {
        assert_eq!(topological_order(&[vec![1], vec![2], vec![3], vec![1], vec![]]), Err(vec![1, 2, 3]));
    }
}
