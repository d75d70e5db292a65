"""The REST side of DACS and the DERMS: published paths, fields, codes and limits, a memory, and a fault dial."""
