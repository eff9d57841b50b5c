package mcpbridge

import (
	"errors"
	"runtime"
	"sync"
	"weak"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

var errTwoGuards = errors.New("the MCP server has the middleware of another mcpbridge.Guard, which would decide its tool calls; use one guard, or one server for each")

// guards holds the guard of every MCP server. It does not keep a server alive:
// some programs make one for each request.
var guards struct {
	mu       sync.Mutex
	byServer map[weak.Pointer[mcp.Server]]*Guard
}

// adopt gives a server the middleware of a guard, unless it has it.
func adopt(server *mcp.Server, g *Guard) error {
	key := weak.Make(server)
	guards.mu.Lock()
	defer guards.mu.Unlock()
	switch guards.byServer[key] {
	case g:
		return nil
	case nil:
	default:
		return errTwoGuards
	}
	if guards.byServer == nil {
		guards.byServer = make(map[weak.Pointer[mcp.Server]]*Guard)
	}
	guards.byServer[key] = g
	runtime.AddCleanup(server, release, key)
	server.AddReceivingMiddleware(g.middleware)
	return nil
}

func release(key weak.Pointer[mcp.Server]) {
	guards.mu.Lock()
	defer guards.mu.Unlock()
	delete(guards.byServer, key)
}
