-- The regions that the detector knows: circles on the globe.

CREATE TABLE IF NOT EXISTS georegions (
  georegion_id text PRIMARY KEY,
  name text NOT NULL,
  type text NOT NULL,
  latitude double precision NOT NULL CHECK (latitude BETWEEN -90 AND 90),
  longitude double precision NOT NULL CHECK (longitude BETWEEN -180 AND 180),
  radius_meters double precision NOT NULL CHECK (radius_meters > 0)
);

INSERT INTO georegions (georegion_id, name, type, latitude, longitude, radius_meters) VALUES
  ('berlin', 'Berlin', 'city', 52.5200, 13.4050, 20000),
  ('berlin-alexanderplatz', 'Alexanderplatz', 'square', 52.5219, 13.4132, 400),
  ('berlin-hauptbahnhof', 'Berlin Hauptbahnhof', 'station', 52.5251, 13.3694, 350),
  ('berlin-tempelhofer-feld', 'Tempelhofer Feld', 'park', 52.4730, 13.4030, 1000),
  ('berlin-home', 'Home', 'home', 52.4990, 13.4180, 150),
  ('berlin-work', 'Work', 'work', 52.5096, 13.3761, 200)
ON CONFLICT (georegion_id) DO NOTHING;
