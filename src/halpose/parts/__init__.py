"""Parts that methods are made of: streams with their queues, prototypes, geodesic walks."""
