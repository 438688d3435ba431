package catalog

import "context"

func (s *Snapshot) loadMySQL(ctx context.Context, q Querier) error { return nil }
func readMySQLState(ctx context.Context, q Querier, settings []string) (*State, error) {
	return nil, nil
}
func identifyMySQL(ctx context.Context, q Querier) (Identity, error) { return Identity{}, nil }

var harmlessMySQL = map[string]bool{}
