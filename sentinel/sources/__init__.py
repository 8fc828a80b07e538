"""Where pull requests come from: one interface, chosen by URI."""
