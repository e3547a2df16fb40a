"""The release record of one image: verified, judged, sealed, and how it stands."""
