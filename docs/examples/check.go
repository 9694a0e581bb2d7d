package curfew

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/redis/go-redis/v9"
)

type Claims struct {
	jwt.RegisteredClaims
	Sid   string   `json:"sid"`
	Epoch string   `json:"epoch"`
	Roles []string `json:"roles"`
}

// ErrRefused means 401. Any other error means 503, never a pass.
var ErrRefused = errors.New("the token is refused")

func Connect(url string) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	options.DialTimeout, options.ReadTimeout, options.MaxRetries = 250*time.Millisecond, 250*time.Millisecond, -1
	return redis.NewClient(options), nil
}

func Check(ctx context.Context, denylist *redis.Client, key *ecdsa.PublicKey, text string) (*Claims, error) {
	var c Claims
	token, err := jwt.ParseWithClaims(text, &c, func(*jwt.Token) (any, error) { return key, nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer("curfew"), jwt.WithAudience("curfew"),
		jwt.WithExpirationRequired())
	if err != nil || token.Header["typ"] != "at+jwt" || c.ID == "" || c.Sid == "" || c.Epoch == "" {
		return nil, ErrRefused
	}
	ask := denylist.Pipeline()
	byJti := ask.Exists(ctx, "curfew:denylist:jti:"+c.ID)
	bySid := ask.Exists(ctx, "curfew:denylist:sid:"+c.Sid)
	epoch := ask.Get(ctx, "curfew:denylist:epoch")
	// redis.Nil: there is no epoch, so it does not equal the token's.
	if _, err := ask.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	if byJti.Val() > 0 || bySid.Val() > 0 || epoch.Val() != c.Epoch {
		return nil, ErrRefused
	}
	return &c, nil
}
