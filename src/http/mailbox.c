// SPDX-License-Identifier: Apache-2.0
// A stack that many push and one takes whole, turned round before it is read.
//
// Nobody is left asleep: the reader says "asleep" and then looks for letters once more; a poster
// puts its letter there and then looks for "asleep". Both steps are sequentially consistent, so
// at least one of the two sees the other.
//
// A letter may be opened, and lead to the end of everything, before the call that posted it has
// returned. So posters are counted, and the mailbox is not freed under their hands.
#include "mailbox.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

err mailbox_init(struct mailbox *mailbox, int epoll, void *watch, struct als_why *why)
{
    *mailbox = (struct mailbox){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    // Edge-triggered, so that the counter need never be read.
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = watch};
    if (mailbox->fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, mailbox->fd, &event) != 0)
        return FAIL(why, ALS_NO_MEMORY, "no event descriptor: %s", strerror(errno));
    return ALS_OK;
}

void mailbox_deinit(struct mailbox *mailbox)
{
    while (atomic_load(&mailbox->posting) > 0)
        (void)sched_yield(); // a few instructions, of one whose letter has been opened already
    if (mailbox->fd > 0)
        (void)close(mailbox->fd); // nothing is written to it
    mailbox->fd = -1;
}

void mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    if (atomic_exchange(&letter->posted, true))
        return;
    atomic_fetch_add(&mailbox->posting, 1);
    letter->next = atomic_load(&mailbox->newest);
    while (!atomic_compare_exchange_weak(&mailbox->newest, &letter->next, letter))
        ;
    if (atomic_exchange(&mailbox->asleep, false))
        (void)eventfd_write(mailbox->fd, 1); // cannot fail: the counter is far from full
    atomic_fetch_sub(&mailbox->posting, 1);
}

void mailbox_open(struct mailbox *mailbox)
{
    struct letter *oldest = NULL;
    for (struct letter *at = atomic_exchange(&mailbox->newest, NULL); at;) {
        struct letter *next = at->next;
        at->next = oldest;
        oldest = at;
        at = next;
    }
    while (oldest) {
        struct letter *letter = oldest;
        oldest = letter->next;
        atomic_store(&letter->posted, false); // before it is opened: what comes later counts
        letter->open(letter);
    }
}

bool mailbox_sleep(struct mailbox *mailbox)
{
    atomic_store(&mailbox->asleep, true);
    if (!atomic_load(&mailbox->newest))
        return true;
    mailbox_awake(mailbox);
    return false;
}

void mailbox_awake(struct mailbox *mailbox)
{
    atomic_store(&mailbox->asleep, false);
}
