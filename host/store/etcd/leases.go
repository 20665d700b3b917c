package etcd

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Leases are etcd's, for entries of a Store that are to go when their writer does.
type Leases struct{ s *Store }

// Leases gives the leases of the store's client.
func (s *Store) Leases() Leases { return Leases{s} }

// Grant makes a lease.
func (l Leases) Grant(ctx context.Context, ttl time.Duration) (lease int64, err error) {
	seconds := int64((ttl + time.Second - 1) / time.Second) // etcd counts whole ones
	reply, err := l.s.client.Grant(ctx, seconds)
	if err != nil {
		return 0, l.failure(err)
	}
	return int64(reply.ID), nil
}

// Attach writes an entry that goes when the lease ends.
func (l Leases) Attach(ctx context.Context, lease int64, key string, value []byte) error {
	if key == "" || len(key) > store.MaxKeyLen || len(value) > store.MaxValueLen {
		return spoolerr.New(spoolerr.Invalid, 0, "an entry of a lease is too long")
	}
	return l.failure(l.s.asked(ctx, func(ctx context.Context) error {
		reply, err := l.s.client.Put(ctx, l.s.data+key, string(value), clientv3.WithLease(clientv3.LeaseID(lease)))
		if err == nil {
			l.s.note(reply.Header.Revision)
		}
		return err
	}))
}

// Beat is Attach of an entry that is there. spoolerr.NotFound: it is not.
func (l Leases) Beat(ctx context.Context, lease int64, key string, value []byte) error {
	at := l.s.data + key
	var reply *clientv3.TxnResponse
	err := l.s.asked(ctx, func(ctx context.Context) (err error) {
		reply, err = l.s.client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(at), ">", 0)).
			Then(clientv3.OpPut(at, string(value), clientv3.WithLease(clientv3.LeaseID(lease)))).Commit()
		return err
	})
	switch {
	case err != nil:
		return l.failure(err)
	case !reply.Succeeded:
		return spoolerr.New(spoolerr.NotFound, 0, "the entry of the lease at %s was removed", l.s.name)
	}
	l.s.note(reply.Header.Revision)
	return nil
}

// Renew gives the lease its whole time again. spoolerr.NotFound: it has run out.
func (l Leases) Renew(ctx context.Context, lease int64) error {
	return l.failure(l.s.asked(ctx, func(ctx context.Context) error {
		_, err := l.s.client.KeepAliveOnce(ctx, clientv3.LeaseID(lease))
		return err
	}))
}

// Revoke ends the lease and what hangs on it.
func (l Leases) Revoke(ctx context.Context, lease int64) error {
	_, err := l.s.client.Revoke(ctx, clientv3.LeaseID(lease))
	return l.failure(err)
}

func (l Leases) failure(err error) error {
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return spoolerr.As(err, spoolerr.NotFound, "the lease at %s has run out", l.s.name)
	}
	if err == nil {
		return nil
	}
	return l.s.failure(err)
}
