//! K3: a maximum for which the map consists of several parts.

use super::support::{Number, numbered};

#[test]
fn k3_a_maximum_that_is_no_multiple_of_the_number_of_parts_holds() {
    for max in [2049, 4099] {
        let layer = numbered(max);
        for key in 0..3 * max {
            layer.tokens(&Number(key)).unwrap();
        }
        assert!((max - 10..=max).contains(&layer.len()), "{} of {max}", layer.len());
    }
}

/// The creation of a cell locks one part only.
#[test]
fn k3_cells_that_were_in_use_are_dropped_in_each_part() {
    let layer = numbered(2048);
    let handles: Vec<_> = (0..3000).map(|key| layer.tokens(&Number(key)).unwrap()).collect();
    assert_eq!(layer.len(), 3000);
    drop(handles);
    layer.tokens(&Number(3000)).unwrap();
    assert_eq!(layer.len(), 2048);
}
