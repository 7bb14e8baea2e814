"""What an export holds, and how it is tried: all that concerns SavedModels and their server."""
