"""Where data comes from: published files, their transfer and verification, and feature files of other layouts."""
