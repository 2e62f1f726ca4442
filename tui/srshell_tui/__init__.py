"""The dashboard: draws the newest picture of a fabric and sends commands to its session.

    owner --frames--> link --messages--> app --hear--> store --draw--> lines --> terminal
                                          app --command lines--> owner

Always true:

(1) A screen is drawn from values: the store, where the person looks, the size.  Drawing asks for
    nothing and imports no Textual, so every screen can be read as text.
(2) What a person does here is a command line, read by the one registry of commands.
"""
