-- Asks Curfew whose token a request carries, for HAProxy 2.6 or later; haproxy.cfg, next to this file, loads it.

-- About one connection or a body, and so not about the question.
local HOP_BY_HOP = {
  ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true,
  ["transfer-encoding"] = true, ["upgrade"] = true, ["content-length"] = true, ["expect"] = true,
}

-- Curfew answers within REDIS_TIMEOUT_MS, 250 if not set otherwise. HAProxy tries four times.
local TIMEOUT_MS = 2000

local UNDECIDED = '{"error":"Service Unavailable","code":"denylist_unavailable",'
  .. '"message":"The denylist can\'t be reached. No token is accepted until it can be. Try again soon."}'

local function without_hop_by_hop(headers)
  local kept = {}
  for name, values in pairs(headers) do
    if not HOP_BY_HOP[name] then
      kept[name] = {}
      -- HAProxy counts a header's values from 0.
      for at = 0, #values do kept[name][at + 1] = values[at] end
    end
  end
  return kept
end

local function ask(txn, url)
  -- Authorization, Cookie, Host, Origin, Sec-Fetch-Site and Sec-WebSocket-Version among them, as they came.
  local headers = without_hop_by_hop(txn.http:req_get_headers())
  headers["x-original-method"] = { txn.f:method() }
  headers["x-forwarded-method"] = nil
  -- Only a 204 is a yes.
  headers["x-verify-status"] = nil
  return core.httpclient():get { url = url, headers = headers, timeout = TIMEOUT_MS }
end

local function refuse(txn, status, headers, body)
  local reply = txn:reply { status = status, headers = headers }
  if txn.f:method() ~= "HEAD" then reply:set_body(body) end
  txn:done(reply)
end

core.register_action("curfew", { "http-req" }, function(txn, url)
  local answer = ask(txn, url)
  if answer.status == 204 then
    for name, values in pairs(answer.headers) do
      if name:find("^x%-auth%-") then txn.http:req_set_header(name, values[0]) end
    end
    txn:set_var("txn.curfew_accepted", true)
  elseif answer.headers and answer.headers["x-request-id"] then
    -- A refusal in Curfew's own words.
    refuse(txn, answer.status, without_hop_by_hop(answer.headers), answer.body)
  else
    -- No answer: HAProxy made one up. Nobody gets in; clients keep their tokens and try again.
    local headers = { ["content-type"] = { "application/json; charset=utf-8" }, ["retry-after"] = { "1" }, ["cache-control"] = { "no-store" } }
    refuse(txn, 503, headers, UNDECIDED)
  end
end, 1)
