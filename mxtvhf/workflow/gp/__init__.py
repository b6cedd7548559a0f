"""The General Program pipeline (GP): the contract of its REST interface and our client."""
