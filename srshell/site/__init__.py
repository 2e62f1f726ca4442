"""A site: the pools, volumes, replicas and exports of one array, in a process of its own or in ours."""
