"""The General Program pipeline (GP): the contract of its REST API and our client."""
