"""From entity ids to views, one per modality, and one joint embedding."""
