package mcpbridge

// GuardedServers returns the number of servers that have a guard.
func GuardedServers() int {
	guards.mu.Lock()
	defer guards.mu.Unlock()
	return len(guards.byServer)
}
