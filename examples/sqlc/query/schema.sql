CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE stuff (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES users (id), name text NOT NULL);
