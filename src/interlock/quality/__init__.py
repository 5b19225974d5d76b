"""Quality: the checks about records, the profile that sets them, and the judge that runs them."""
