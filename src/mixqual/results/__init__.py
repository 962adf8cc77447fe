"""What `results.json` and `examples.json` hold: the names in them, their types, reading them."""
