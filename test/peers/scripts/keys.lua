-- Writes keys to redis, or verifies them, each value following from its key and generation:
--   redis-cli --eval keys.lua , put COUNT STEP GENERATION
--   redis-cli --eval keys.lua , check COUNT STEP GENERATION
-- Every key is of the first generation, but each STEPth, which is of the one given. Answers with
-- the number of keys, or with an error that names the first key that is not what was put.
local verb, count, step = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local function value(key, generation)
  return string.rep(redis.sha1hex(generation .. ':' .. key), 400)
end

local function generation(key)
  return key % step == 0 and ARGV[4] or '1'
end

local touched = 0
for key = 1, count do
  if verb == 'put' then
    if key % step == 0 then
      redis.call('SET', 'key:' .. key, value(key, generation(key)))
      touched = touched + 1
    end
  else
    if redis.call('GET', 'key:' .. key) ~= value(key, generation(key)) then
      return redis.error_reply('key:' .. key .. ' is not what was put')
    end
    touched = touched + 1
  end
end
return touched
