// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd top` on the terminal: ncurses in, ncurses out. Everything that is shown is composed in
// model.h's functions; this file only reads keys, waits, and draws. One thread; signals come
// through a descriptor, so that the terminal is restored in one place.
#include "tui/tui.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "model.h"
#include "feed.h"
#include "tui/api.h"

struct tui {
    SCREEN *screen;
    attr_t attributes[PAGE_STYLE_MAX];
    int signal_fd;
    sigset_t old_mask;
    bool utf8;
    struct tui_state state;
    struct tui_model model;
    struct tui_feed *feed;
};

static const struct {
    attr_t attribute; /**< legible without colours */
    short color;      /**< -1 = the terminal's own */
} styles[PAGE_STYLE_MAX] = {
    [PAGE_PLAIN] = {A_NORMAL, -1},
    [PAGE_TITLE] = {A_BOLD, -1},
    [PAGE_HEADER] = {A_REVERSE, -1},
    [PAGE_SORT] = {A_BOLD | A_UNDERLINE, -1},
    [PAGE_SELECTED] = {A_REVERSE, -1},
    [PAGE_GOOD] = {A_NORMAL, COLOR_GREEN},
    [PAGE_WARN] = {A_BOLD, COLOR_YELLOW},
    [PAGE_BAD] = {A_BOLD, COLOR_RED},
    [PAGE_DIM] = {A_DIM, -1},
    [PAGE_BANNER] = {A_BOLD | A_REVERSE, COLOR_RED},
};

static void init_styles(struct tui *t, bool color)
{
    bool colors = color && has_colors() && start_color() == OK;
    bool own = colors && use_default_colors() == OK;
    for (int i = 0; i < PAGE_STYLE_MAX; i++) {
        t->attributes[i] = styles[i].attribute;
        if (!colors || styles[i].color < 0)
            continue;
        init_pair((short)i, styles[i].color, own ? -1 : COLOR_BLACK);
        t->attributes[i] |= (attr_t)COLOR_PAIR(i);
    }
}

static void draw_line(const struct tui *t, int row, const struct page_line *line)
{
    move(row, 0);
    for (size_t i = 0; i < line->n_spans; i++) {
        size_t from = line->spans[i].from;
        size_t to = i + 1 < line->n_spans ? line->spans[i + 1].from : line->text.len;
        enum page_style style = line->force != PAGE_PLAIN ? line->force : line->spans[i].style;
        attrset((int)t->attributes[style]);
        addnstr(line->text.data + from, (int)(to - from));
    }
    attrset(A_NORMAL);
    int y, x;
    getyx(stdscr, y, x);
    // Behind a full line the cursor stands in the next one.
    if (y == row && x < COLS)
        clrtoeol();
}

static void draw(struct tui *t)
{
    struct page page;
    page_init(&page, COLS > 0 ? (size_t)COLS : 1, t->utf8);
    tui_compose(&t->model, &t->state, LINES > 0 ? (size_t)LINES : 1, &page);
    // The last cell of the screen cannot be written without scrolling: leave it to ncurses.
    for (size_t i = 0; i < page.n_lines && i < (size_t)LINES; i++)
        draw_line(t, (int)i, &page.lines[i]);
    refresh();
    page_done(&page);
}

static unsigned from_curses(int kind, wint_t key)
{
    static const struct {
        wint_t curses;
        unsigned key;
    } specials[] = {
        {KEY_UP, TUI_KEY_UP},         {KEY_DOWN, TUI_KEY_DOWN},
        {KEY_PPAGE, TUI_KEY_PAGE_UP}, {KEY_NPAGE, TUI_KEY_PAGE_DOWN},
        {KEY_HOME, TUI_KEY_HOME},     {KEY_END, TUI_KEY_END},
        {KEY_ENTER, TUI_KEY_ENTER},   {KEY_BACKSPACE, TUI_KEY_BACKSPACE},
        {KEY_F(1), TUI_KEY_F1},
    };
    static const struct {
        wint_t character;
        unsigned key;
    } characters[] = {{'\n', TUI_KEY_ENTER},
                      {'\r', TUI_KEY_ENTER},
                      {0x1B, TUI_KEY_ESCAPE},
                      {0x7F, TUI_KEY_BACKSPACE},
                      {0x08, TUI_KEY_BACKSPACE}};
    for (size_t i = 0; kind == KEY_CODE_YES && i < ARRAY_LEN(specials); i++)
        if (specials[i].curses == key)
            return specials[i].key;
    for (size_t i = 0; kind == OK && i < ARRAY_LEN(characters); i++)
        if (characters[i].character == key)
            return characters[i].key;
    return kind == OK && key < TUI_KEY_UP ? key : 0;
}

// KEY_RESIZE comes from ncurses' SIGWINCH handler; the next drawing uses the new size.
static void read_keys(struct tui *t)
{
    wint_t key;
    int kind;
    while ((kind = get_wch(&key)) != ERR) {
        if (kind == KEY_CODE_YES && key == KEY_RESIZE)
            clear();
        else
            tui_key(&t->state, &t->model, from_curses(kind, key));
    }
}

static void forget_other_detail(struct tui *t)
{
    const char *wanted = tui_wanted_detail(&t->state), *is = api_text(t->model.detail, "uuid");
    if (!wanted || (is && strcmp(is, wanted) != 0)) {
        json_decref(t->model.detail);
        t->model.detail = NULL;
        mem_strset(&t->model.detail_error, NULL);
    }
    tui_feed_want(t->feed, wanted);
}

static void loop(struct tui *t)
{
    while (!t->state.quit) {
        draw(t);
        struct pollfd fds[] = {
            {.fd = STDIN_FILENO, .events = POLLIN},
            {.fd = t->signal_fd, .events = POLLIN},
            {.fd = tui_feed_fd(t->feed), .events = POLLIN},
        };
        // Once a second at least, so that ages move on while nobody answers.
        int n = poll(fds, ARRAY_LEN(fds), 1000);
        if (n < 0 && errno != EINTR)
            break;
        if (n > 0 && (fds[1].revents || (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))))
            break;
        read_keys(t);
        tui_feed_take(t->feed, &t->model);
        forget_other_detail(t);
    }
}

static int open_signals(struct tui *t)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    sigaddset(&mask, SIGQUIT);
    pthread_sigmask(SIG_BLOCK, &mask, &t->old_mask);
    t->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    return t->signal_fd < 0 ? -errno : 0;
}

// What terminals send that are not quite what TERM says, such as PuTTY: its Esc would count alone.
static void define_keys(void)
{
    static const struct {
        const char *sent;
        int key;
    } keys[] = {
        {"\033[A", KEY_UP},   {"\033OA", KEY_UP},     {"\033[B", KEY_DOWN},  {"\033OB", KEY_DOWN},
        {"\033[H", KEY_HOME}, {"\033OH", KEY_HOME},   {"\033[1~", KEY_HOME}, {"\033[7~", KEY_HOME},
        {"\033[F", KEY_END},  {"\033OF", KEY_END},    {"\033[4~", KEY_END},  {"\033[8~", KEY_END},
        {"\033OP", KEY_F(1)}, {"\033[11~", KEY_F(1)}, {"\033OM", KEY_ENTER},
    };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (key_defined(keys[i].sent) == 0)
            define_key(keys[i].sent, keys[i].key);
}

static int open_screen(struct tui *t, const struct tui_params *params, struct err *err)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return err_set(err, ENOTTY, "top needs a terminal; `vherd list` prints once");
    const char *name = getenv("TERM");
    t->screen = newterm(NULL, stdout, stdin);
    if (!t->screen)
        return err_set(err, EINVAL,
                       "cannot draw on a terminal of type \"%s\" (TERM); try TERM=xterm",
                       name ? name : "");
    set_escdelay(25);
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    define_keys();
    nodelay(stdscr, TRUE);
    curs_set(0);
    init_styles(t, params->color);
    return 0;
}

static void close_screen(struct tui *t)
{
    if (!t->screen)
        return;
    endwin();
    delscreen(t->screen);
}

int tui_run(const struct tui_params *params, struct err *err)
{
    struct tui t = {.signal_fd = -1, .utf8 = params->utf8};
    tui_state_init(&t.state);
    int r = open_signals(&t);
    if (r < 0)
        r = err_set(err, -r, "cannot wait for signals: %s", strerror(-r));
    if (r == 0)
        r = open_screen(&t, params, err);
    if (r == 0) {
        t.feed = tui_feed_new(&params->target);
        if (t.feed)
            loop(&t);
        else
            r = err_set(err, errno, "cannot start a thread: %s", strerror(errno));
    }
    close_screen(&t);
    if (t.feed)
        tui_feed_stop(t.feed);
    closep(&t.signal_fd);
    pthread_sigmask(SIG_SETMASK, &t.old_mask, NULL);
    tui_model_done(&t.model);
    return r;
}
