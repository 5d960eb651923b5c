"""`pywg up`, `down` and `save`: wg-quick(8) on the system's own interfaces, without shelling out."""
