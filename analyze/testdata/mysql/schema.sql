CREATE TABLE cities (id INT PRIMARY KEY, name VARCHAR(50));
CREATE TABLE users (
  id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50), email VARCHAR(50), age INT, active BOOL, city_id INT,
  created_at DATETIME(3), updated_at DATETIME(3), deleted_at DATETIME(3), profile TEXT, born DATE, wake TIME
);
CREATE TABLE orders (
  id INT AUTO_INCREMENT PRIMARY KEY, user_id INT, total INT, status VARCHAR(20), note VARCHAR(50), placed_at DATETIME
);
CREATE TABLE items (order_id INT, product_id INT, quantity INT, price INT, id INT);
CREATE TABLE products (
  id INT PRIMARY KEY, name VARCHAR(50), price INT, stock INT, tags TEXT, description TEXT, category_id INT,
  FULLTEXT (description)
);
CREATE TABLE categories (id INT PRIMARY KEY, parent_id INT, name VARCHAR(50));
CREATE TABLE archive LIKE orders;
CREATE TABLE logs (id INT AUTO_INCREMENT PRIMARY KEY, message TEXT);
CREATE TABLE ids (id INT);
CREATE TABLE ids2 (id INT);
CREATE TABLE words (`select` INT, `returning` INT);
CREATE TABLE ranks (id INT, `rank` INT, `groups` INT);
CREATE TABLE parts (id INT, y INT) PARTITION BY RANGE (y) (
  PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE
);
CREATE TABLE spare (id INT, y INT);
CREATE TABLE `order details` (id INT);
CREATE TABLE `back``tick` (id INT);
CREATE TABLE `名前` (`値` VARCHAR(20));
CREATE TABLE auth_user (id INT PRIMARY KEY, password VARCHAR(50), last_login DATETIME, username VARCHAR(50));
CREATE TABLE auth_group (id INT PRIMARY KEY, name VARCHAR(50));
CREATE TABLE auth_user_groups (user_id INT, group_id INT, UNIQUE (user_id, group_id));
CREATE TABLE django_session (session_key VARCHAR(40) PRIMARY KEY, session_data TEXT, expire_date DATETIME);
CREATE TABLE b (id INT);
CREATE TABLE stuff (
  id INT AUTO_INCREMENT PRIMARY KEY, user_id INT, tenant_id INT, owner_id INT, kind VARCHAR(20), state VARCHAR(20), name VARCHAR(50),
  note VARCHAR(50), size INT, price DECIMAL(10,2), archived BOOL, deleted BOOL, seen BOOL, hash VARBINARY(16), made DATE, deleted_at DATETIME
);
CREATE TABLE old_stuff LIKE stuff;
CREATE TABLE tags (id INT, stuff_id INT, name VARCHAR(20));
CREATE TABLE kinds (tenant_id INT, name VARCHAR(20));
CREATE TABLE user_languages (user_id INT, language_id INT, UNIQUE (user_id, language_id));
CREATE SEQUENCE s1;
CREATE FUNCTION order_total(a INT) RETURNS INT DETERMINISTIC RETURN a;
CREATE FUNCTION full_name(a INT) RETURNS INT DETERMINISTIC RETURN a;
CREATE FUNCTION next_age() RETURNS INT DETERMINISTIC RETURN 1;
CREATE DATABASE IF NOT EXISTS shop;
CREATE OR REPLACE TABLE shop.stock (product_id INT, amount INT);
CREATE SEQUENCE IF NOT EXISTS shop.s2;
INSERT INTO users (name, age, city_id) VALUES ('a', 1, 1), ('b', 2, 2);
INSERT INTO orders (user_id, total) VALUES (1, 10), (2, 20);
INSERT INTO items (order_id, product_id, quantity, price, id) VALUES (1, 1, 1, 1, 1);
INSERT INTO products (id, name, price, stock, tags) VALUES (1, 'x', 1, 1, '[1]');
INSERT INTO shop.stock VALUES (1, 1);
INSERT INTO stuff (user_id, tenant_id, kind, state, size, archived) VALUES
  (1, 1, 'a', 'b', 1, 0), (42, 1, 'a', 'b', 5, 1), (42, 2, 'A', NULL, 0, NULL), (43, NULL, 'WHERE', 'a', 2, 1), (NULL, 1, NULL, '', 3, 0);
INSERT INTO user_languages VALUES (1, 1), (42, 1);
