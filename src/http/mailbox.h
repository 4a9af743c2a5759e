// SPDX-License-Identifier: Apache-2.0
// Letters from any thread to one thread that sleeps in epoll: the request loops and the socket
// loop.
//
// Posting is lock-free and costs a system call only when the reader sleeps, and then one for all
// letters that are posted before it is awake. A letter is part of what it is about; it lies in the
// mailbox at most once, so posting it again before it was opened does nothing.
#pragma once

#include "base/err.h"
#include "base/own.h"

#include <stdbool.h>

struct letter {
    struct letter *next;
    void (*open)(struct letter *letter); // on the reader's thread; may free the letter
    _Atomic bool posted;
};

// The struct that a member lies in.
#define OWNER_OF(pointer, type, member)                                                            \
    ((type *)(void *)((char *)(pointer) - __builtin_offsetof(type, member)))

struct mailbox {
    struct letter *_Atomic newest;
    _Atomic bool asleep;
    _Atomic unsigned posting; // how many are within mailbox_post()
    int fd; // becomes readable, edge-triggered, when a sleeping reader has got a letter
};

// The mailbox lives in `epoll` under `watch`.
err mailbox_init(struct mailbox *mailbox, int epoll, void *watch, struct als_why *why);
void mailbox_deinit(struct mailbox *mailbox);

void mailbox_post(struct mailbox *mailbox, struct letter *letter); // any thread

// The reader's side. mailbox_sleep() is false when letters lie there; after true the reader may
// wait for `fd`, and must call mailbox_awake() afterwards.
void mailbox_open(struct mailbox *mailbox);
bool mailbox_sleep(struct mailbox *mailbox);
void mailbox_awake(struct mailbox *mailbox);
