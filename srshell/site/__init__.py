"""A site: pools, volumes, replicas and exports of one array, in its own process or in ours."""
