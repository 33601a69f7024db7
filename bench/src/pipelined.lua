-- For wrk: 16 requests at once on each connection, so that the server is the limit and not the load.
local requests = {}

function init()
  for i = 1, 16 do requests[i] = wrk.format() end
  requests = table.concat(requests)
end

function request()
  return requests
end
