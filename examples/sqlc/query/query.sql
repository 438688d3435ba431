-- name: StuffOf :many
SELECT id, user_id, name FROM stuff WHERE user_id = $1 ORDER BY id;

-- name: OwnerOf :one
SELECT users.name FROM users JOIN stuff ON stuff.user_id = users.id WHERE stuff.id = $1;

-- name: Rename :exec
UPDATE stuff SET name = $2 WHERE id = $1;

-- name: Give :one
UPDATE stuff SET user_id = $2 WHERE id = $1 RETURNING *;
