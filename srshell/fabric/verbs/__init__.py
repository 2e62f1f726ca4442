"""What each verb of the session does: functions over a `Context`.

Always true: a verb that only looks returns its report; one that changes things returns a `Change`.
"""
