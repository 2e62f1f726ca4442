"""The shared session: catalogue, rules, plans, jobs, events and the control API."""
