import json, sys, time, traceback
import pytest
from portal.app import create_app
from exchange import accounts, carrying
from exchange.sharing import Role, Kind
from tests.make import *
import taxii_server

import structlog
structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])
def test_probe(settings):
    t=time.time()
    app=create_app(settings)
    stores=app.extensions["stores"]
    with stores.case.transaction() as db:
        org=make_organization(db)
        v=make_viewer(db, org, username="alice")
        p=accounts.find_person(db, v.person_id)
        key=accounts.issue_key(db,p,scopes=["report","feed"],now=NOW)
        isac=make_organization(db, kind=Kind.ISAC)
        w=make_viewer(db, isac, username="izzy")
        ikey=accounts.issue_key(db,accounts.find_person(db,w.person_id),scopes=["report","feed"],now=NOW)
    carrying.account(stores, v.person_id)
    c=app.test_client()
    A={"Authorization":"Bearer "+key}
    def p(name, r): print(name, r.status_code, r.content_type, r.get_data()[:150])
    def tryit(name, f):
        try: p(name, f())
        except Exception as e: print(name, "RAISED", type(e), str(e)[:200])
    tryit("ok", lambda: c.post("/api/v1/reports", json=make_answers(), headers=A))
    tryit("isac", lambda: c.post("/api/v1/reports", json=make_answers(), headers={"Authorization":"Bearer "+ikey}))
    tryit("nul case", lambda: c.get("/api/v1/cases/a%00b", headers=A))
    tryit("form600k", lambda: c.post("/login", data="a="+"x"*600000, content_type="application/x-www-form-urlencoded"))
    tryit("apiform600k", lambda: c.post("/api/v1/reports", data="a="+"x"*600000, content_type="application/x-www-form-urlencoded", headers=A))
    tryit("apiform1.2M", lambda: c.post("/api/v1/reports", data="a="+"x"*1200000, content_type="application/x-www-form-urlencoded", headers=A))
    tryit("nul login nocsrf", lambda: c.post("/login", data={"username":"a\0b"}))
    app.config["WTF_CSRF_ENABLED"]=False
    tryit("nul login", lambda: c.post("/login", data={"username":"a\0b"}))
    tryit("1000 fields", lambda: c.post("/login", data={f"a{i}":"1" for i in range(1000)}))
    app2=taxii_server.create_app(settings); d=app2.test_client()
    B={"Authorization":"Bearer "+key,"Accept":"application/taxii+json;version=2.1"}
    tryit("t ok", lambda: d.get("/api1/collections/", headers=B))
    tryit("t nul coll", lambda: d.get("/api1/collections/a%00b/", headers=B))
    tryit("t nul obj", lambda: d.get("/api1/collections/public/objects/a%00b/", headers=B))
    tryit("t nul type", lambda: d.get("/api1/collections/public/objects/?match[type]=a%00b", headers=B))
    tryit("t many", lambda: d.get("/api1/collections/public/objects/?match[id]="+",".join(map(str,range(40000))), headers=B))
    tryit("t surrogate", lambda: d.get("/api1/collections/%ed%a0%80/", headers=B))
    tryit("t next nul", lambda: d.get("/api1/collections/public/objects/?next=%00", headers=B))
    tryit("t options", lambda: d.options("/api1/collections/public/objects/", headers=B))
    tryit("t limit", lambda: d.get("/api1/collections/public/objects/?limit=1_0", headers=B))
    tryit("t limit big", lambda: d.get("/api1/collections/public/objects/?limit="+"9"*5000, headers=B))
    tryit("t digest", lambda: d.get("/api1/collections/", headers=B|{"Authorization":"Digest x=1"}))
    tryit("t basic junk", lambda: d.get("/api1/collections/", headers=B|{"Authorization":"Basic !!"}))
    tryit("t bearer empty", lambda: d.get("/api1/collections/", headers=B|{"Authorization":"Bearer"}))
    tryit("t no auth", lambda: d.get("/api1/collections/"))
    tryit("t auth junk", lambda: d.get("/api1/collections/", headers=B|{"Authorization":"x"}))
    tryit("t after", lambda: d.get("/api1/collections/public/objects/?added_after=0001-01-01T00:00:00Z", headers=B))
    tryit("t after", lambda: d.get("/api1/collections/public/objects/?added_after=9999-12-31T23:59:59.999999999Z", headers=B))
    tryit("t spec", lambda: d.get("/api1/collections/public/objects/?match[spec_version]=%00", headers=B))
    tryit("t ver", lambda: d.get("/api1/collections/public/objects/?match[version]=", headers=B))
    print(time.time()-t)
    stores.close(); app2.extensions["released"].close()
