"""Plans on a copy of the fabric: the same verbs, carried out where nothing is real."""
