"""The pages: a module for each noun. Every page works without scripts."""

from portal.web import cases, contributions, desk, feed, home, language, login, reports

BLUEPRINTS = (home.bp, login.bp, language.bp, reports.bp, cases.bp, desk.bp, contributions.bp, feed.bp)
