-- The schema that the golden statements speak of: what the engine's own
-- authorizer needs to compile them.
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE, age INTEGER, active INTEGER DEFAULT 1, group_id INTEGER, company_id INTEGER, manager_id INTEGER, language TEXT, created_at TEXT, updated_at TEXT, deleted_at TEXT);
CREATE TABLE stuff (id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER REFERENCES users(id), title TEXT, price REAL, qty INTEGER, data TEXT, created_at TEXT);
CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT UNIQUE, quota INTEGER);
CREATE TABLE group_users (group_id INTEGER, user_id INTEGER, PRIMARY KEY (group_id, user_id)) WITHOUT ROWID;
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER, state TEXT, total REAL, created_at TEXT);
CREATE TABLE order_items (id INTEGER PRIMARY KEY, order_id INTEGER, stuff_id INTEGER, quantity INTEGER, price REAL);
CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE stuff_tags (stuff_id INTEGER, tag_id INTEGER, UNIQUE (stuff_id, tag_id));
CREATE TABLE categories (id INTEGER PRIMARY KEY, parent_id INTEGER, name TEXT);
CREATE TABLE log (id INTEGER PRIMARY KEY, stuff_id INTEGER, what TEXT, at TEXT);
CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE "order" (id INTEGER PRIMARY KEY, "group" TEXT, "select" TEXT);
CREATE TABLE "Mixed Case" (id INTEGER PRIMARY KEY, "The Name" TEXT);
CREATE TABLE "naïve" (id INTEGER PRIMARY KEY, "größe" INTEGER);
CREATE TABLE t1 (a INTEGER, b INTEGER, c TEXT);
CREATE TABLE t2 (a INTEGER, b INTEGER, c TEXT);
CREATE TABLE t3 (a INTEGER, b INTEGER, c TEXT);
CREATE TABLE one (a INTEGER);
CREATE TABLE two (a INTEGER);
CREATE TABLE key (row INTEGER, "end" TEXT, desc TEXT, plan TEXT, query TEXT, temp TEXT, "left" TEXT);
CREATE INDEX users_by_email ON users (email);
CREATE INDEX stuff_by_user ON stuff (user_id);
CREATE INDEX t1a ON t1 (a);
CREATE VIEW adults AS SELECT id, name, age FROM users WHERE age >= 18;
CREATE VIEW user_stuff AS SELECT u.id AS user_id, u.name, s.title, s.price FROM users u JOIN stuff s ON s.user_id = u.id;
CREATE VIEW rich AS SELECT name, sum(price) AS worth FROM user_stuff GROUP BY user_id HAVING sum(price) > 1000;
CREATE TRIGGER stuff_logged AFTER INSERT ON stuff BEGIN INSERT INTO log (stuff_id, what) VALUES (new.id, 'insert'); END;
CREATE TRIGGER adults_insert INSTEAD OF INSERT ON adults BEGIN INSERT INTO users (name, age) VALUES (new.name, new.age); END;
CREATE VIRTUAL TABLE docs USING fts5(title, body);
CREATE TABLE "new__blog_post" (id INTEGER PRIMARY KEY, title TEXT, author_id INTEGER);
-- Django's.
CREATE TABLE auth_user (id INTEGER PRIMARY KEY AUTOINCREMENT, password TEXT, last_login TEXT, is_superuser BOOL, username TEXT UNIQUE, last_name TEXT, email TEXT, is_staff BOOL, is_active BOOL, date_joined TEXT, first_name TEXT);
CREATE TABLE auth_group (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE);
CREATE TABLE auth_user_groups (id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER, group_id INTEGER);
CREATE TABLE auth_permission (id INTEGER PRIMARY KEY AUTOINCREMENT, content_type_id INTEGER, codename TEXT, name TEXT);
CREATE TABLE auth_group_permissions (id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER, permission_id INTEGER);
CREATE TABLE django_content_type (id INTEGER PRIMARY KEY AUTOINCREMENT, app_label TEXT, model TEXT);
CREATE TABLE django_session (session_key TEXT PRIMARY KEY, session_data TEXT, expire_date TEXT);
CREATE TABLE django_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, app TEXT, name TEXT, applied TEXT);
CREATE TABLE blog_post (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT, body TEXT, author_id INTEGER, published TEXT, views INTEGER, meta TEXT);
CREATE TABLE blog_comment (id INTEGER PRIMARY KEY AUTOINCREMENT, post_id INTEGER, text TEXT, created TEXT);
CREATE TABLE blog_post_tags (id INTEGER PRIMARY KEY AUTOINCREMENT, post_id INTEGER, tag_id INTEGER);
-- GORM's.
CREATE TABLE companies (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE credit_cards (id INTEGER PRIMARY KEY AUTOINCREMENT, created_at TEXT, updated_at TEXT, deleted_at TEXT, number TEXT, user_id INTEGER);
CREATE TABLE languages (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
CREATE TABLE user_languages (user_id INTEGER, language_id INTEGER, PRIMARY KEY (user_id, language_id));
CREATE TABLE products (id INTEGER PRIMARY KEY AUTOINCREMENT, created_at TEXT, updated_at TEXT, deleted_at TEXT, code TEXT, price INTEGER);
-- ent's, bun's, sqlc users'.
CREATE TABLE cars (id INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT, registered_at TEXT, user_cars INTEGER);
CREATE TABLE pets (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, age INTEGER, user_pets INTEGER);
CREATE TABLE books (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT, text TEXT, author_id INTEGER, isbn TEXT, price INTEGER, created_at TEXT);
CREATE TABLE authors (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, bio TEXT);
CREATE TABLE city (slug TEXT PRIMARY KEY, name TEXT);
CREATE TABLE venue (id INTEGER PRIMARY KEY, slug TEXT, name TEXT, city TEXT, spotify_playlist TEXT, status TEXT);
