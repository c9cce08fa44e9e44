//! Tests of the order of the layers.
