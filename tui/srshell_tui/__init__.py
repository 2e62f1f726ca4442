"""The dashboard: draws the newest report of a fabric and sends commands to its session."""
