"""A site hosts the pools, volumes, replicas and exports of one array."""
