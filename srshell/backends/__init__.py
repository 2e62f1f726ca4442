"""One set of verbs over several engines: who runs a site, and what it guarantees."""
