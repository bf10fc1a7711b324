-- Whose turn it is to rejoin, so that the members of a consumer group do it one after the other.

CREATE TABLE consumer_rejoin_leases (
  consumer_group_id text NOT NULL PRIMARY KEY,
  holder text NOT NULL,
  token uuid NOT NULL,
  taken_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);

COMMENT ON TABLE consumer_rejoin_leases IS
  'The member of each consumer group whose turn it is to rejoin. The holder renews it; one that expired is anybody''s.';
COMMENT ON COLUMN consumer_rejoin_leases.token IS 'Of this turn alone: a holder that lost its turn cannot give it away.';
