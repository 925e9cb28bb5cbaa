"""A control plane that keeps one stack per tenant on Render; the packages below say what belongs in each."""
