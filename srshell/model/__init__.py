"""Nouns, states, rules, errors and reports: values that know no disk, no network and no clock."""
