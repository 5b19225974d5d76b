"""The conformance kit: what an adapter must do, rule by rule, and how far it was seen doing it."""
